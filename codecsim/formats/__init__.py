"""Reading and writing video files, picture by picture, in memory that does not grow with the length of the clip."""
