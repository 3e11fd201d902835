"""What the photos of a product lack, said in plain words."""
