"""Registration of images across scales: frames, pyramids, similarity, maps and their uncertainty."""
