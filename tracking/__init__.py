"""The parts of the prediction log. Its public face is `prediction_tracking`."""
