"""The experiments: functions of a trained model that a person would call."""
