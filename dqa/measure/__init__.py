"""What the pixels of a clip say without any model: motion, flicker, noise, sharpness, repeats, cuts."""
