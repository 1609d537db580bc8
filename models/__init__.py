"""The model side of Overheard: picture, classifier, manifest and the shipped artifacts."""
