package resolve

// MaxEntry is for tests in the external test package.
const MaxEntry = maxEntry
