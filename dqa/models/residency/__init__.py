"""Which components are on the device when: the order of the channels, memory measured, eviction and what is kept."""
