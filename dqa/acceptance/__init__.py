"""From a channel's score to the chance that a person accepts the clip, by what people said of rated clips."""
