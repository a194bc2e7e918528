"""Agethen and Hsu 2019, Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos."""
