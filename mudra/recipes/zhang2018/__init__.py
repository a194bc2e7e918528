"""Zhang et al. 2018, Attention in Convolutional LSTM for Gesture Recognition, NeurIPS 2018."""
