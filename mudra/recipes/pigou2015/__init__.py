"""Pigou et al. 2015, Beyond Temporal Pooling: Recurrence and Temporal Convolutions for Gesture Recognition in Video."""
