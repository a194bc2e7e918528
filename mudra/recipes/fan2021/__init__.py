"""Fan et al. 2021, Multi-Task and Multi-Modal Learning for RGB Dynamic Gesture Recognition, IEEE Sensors Journal."""
