/** The shape of the tables of policies. */

export type Spec = Readonly<Record<string, unknown>>;

export interface BadPolicy {
  readonly what: string;
  /** Merged over a sound spec, of which vault.address is all there is. */
  readonly spec: Spec;
  /** The field that is named; '' for the whole spec. */
  readonly field: string;
  readonly says: string;
}

export const vault = (fields: Spec): Spec => ({ vault: { address: 'https://vault:8200', ...fields } });

/** Cases that are told the same about the same field. */
export const bad = (field: string, says: string, cases: Readonly<Record<string, Spec>>): BadPolicy[] =>
  Object.entries(cases).map(([what, spec]) => ({ what, spec, field, says }));
