import manifest from '../package.json' with { type: 'json' };

/** The version of the operator and of everything that is released with it. */
export const VERSION: string = manifest.version;
