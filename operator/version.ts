import description from '../package.json' with { type: 'json' };

/** The version of the operator, such as 0.1.0. package.json is the one place that says it; the bundle contains it. */
export const VERSION = description.version;
