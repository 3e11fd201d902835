"""MMFashion's networks (open-mmlab/mmfashion, Apache-2.0) with its state_dict, part by part.

`build.build(config)` makes a model from the `model = dict(...)` of one of MMFashion's configuration
files; `released.CONFIGS` holds those that it released. The attributes' names are MMFashion's,
because they are the keys of the weights. What it got wrong and what was decided about it is in
docs/reference/mmfashion.md.
"""
