"""The prompt calibrator: a judge compares a picture with a reference axis by axis, and a loop corrects the prompt."""
