"""What is measured of pictures and motion: pure functions on arrays, with no file in sight."""
