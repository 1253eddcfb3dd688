/** A file that is generated and checked in. */
export interface Generated {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Returns the text that it should have. */
  readonly text: () => string | Promise<string>;
}
