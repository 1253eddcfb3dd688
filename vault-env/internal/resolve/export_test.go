package resolve

// MaxEntry is for tests that see the resolution from outside.
const MaxEntry = maxEntry
