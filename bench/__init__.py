"""What configsvc does in a second, beside what plain git does on the same disk in the same run."""
