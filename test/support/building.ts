/** Milliseconds that a suite's before() may take: the first run builds the tools of test/tools, later ones find them. */
export const BUILDING_MS = 3_600_000;
