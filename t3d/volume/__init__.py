"""One volume in one file: headers, voxels, HU, DICOM series, labels, and the prepared store that is read in parts."""
