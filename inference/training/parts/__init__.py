"""Fashion Wizard's segmentation trained on ccp: a plan, its photos, the loop."""
