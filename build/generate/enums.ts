/** The choices of the CRD, for whoever has to name them: annotations that choose one, messages that list them. */
import { CRD_FILE, treeOf } from './crd.ts';
import { formatted } from './format.ts';

export const ENUMS_FILE = 'core/policy/enums.generated.ts';

/** The text that enums.generated.ts ought to have. */
export function enums(): Promise<string> {
  return formatted(
    ENUMS_FILE,
    `// Generated from ${CRD_FILE} by build/generate/enums.ts. Do not edit.

/** What the fields of a policy's spec may hold, where that is one of a few words. */
export const ENUMS = ${treeOf((schema) => schema.enum)} as const;
`,
  );
}
