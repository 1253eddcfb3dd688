import { createAuthority } from './authority.ts';
import type { RenewalStep } from './renewal.ts';
import type { CertificateSet, StoredSet } from './secret.ts';

/** Carries out a step of the rotation on what was found; resolves with the set to store. */
export async function takeStep(step: RenewalStep, found: StoredSet, now: number): Promise<CertificateSet> {
  const { current, next, previous, promotedAt, leaf, orphan } = found;
  const kept = {
    ...(next && { next }),
    ...(previous !== undefined && { previous }),
    ...(promotedAt !== undefined && { promotedAt }),
    ...(leaf && { leaf }),
  };
  switch (step) {
    case 'Rest':
      if (current !== undefined) return { current, ...kept };
      break;
    case 'Stage':
      if (current !== undefined) return { current, ...kept, next: await createAuthority(now) };
      break;
    case 'Retire':
      if (current !== undefined) return { current, ...(next && { next }), ...(leaf && { leaf }) };
      break;
    case 'Promote':
      if (next !== undefined)
        return { current: next, ...followed(current?.certificate ?? orphan, now), ...(leaf && { leaf }) };
      break;
    case 'Create':
      break;
  }
  return {
    current: await createAuthority(now),
    ...followed(current?.certificate ?? orphan, now),
    ...(leaf && { leaf }),
  };
}

/** Keeps the authority that was current until now in the bundle, for what it signed. */
function followed(before: string | undefined, now: number): { previous?: string; promotedAt?: number } {
  return before === undefined ? {} : { previous: before, promotedAt: now };
}
