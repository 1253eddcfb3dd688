/**
 * The defaults of the CRD for vault-env, which applies them to what the operator leaves out of VAULT_ENV_CONFIG, from
 * core/policy/policy.generated.ts.
 */
import { parseDuration } from '../../core/duration.ts';
import { CRD_FILE, specFields } from './crd.ts';
import { gofmt } from './format.ts';

export const GO_DEFAULTS_FILE = 'vault-env/internal/defaults/defaults_generated.go';
const GO_PACKAGE = 'defaults';

// The sections in VAULT_ENV_CONFIG.
const VAULT_ENV_SECTIONS = ['vault', 'environment', 'process'];
// Fields in these that shape the volumes of a pod; vault-env only sees the files.
const FOR_VOLUMES = ['vault.tls.caRef.key', 'vault.auth.tokenExpiration'];

/** Returns the text that defaults_generated.go should have. */
export function goDefaults(): string {
  const constants = specFields().flatMap(({ path, schema }) => {
    const [section = ''] = path;
    const field = path.join('.');
    if (!VAULT_ENV_SECTIONS.includes(section) || FOR_VOLUMES.includes(field)) return [];
    const value = goValue(schema.default);
    return value === undefined ? [] : [`${path.map(capitalized).join('')} = ${value} // spec.${field}`];
  });
  const needsTime = constants.some((line) => line.includes('time.'));
  return gofmt(`// Code generated from ${CRD_FILE} by build/generate; DO NOT EDIT.

package ${GO_PACKAGE}

${needsTime ? 'import "time"\n\n' : ''}const (
${constants.join('\n')}
)
`);
}

/** Returns undefined for what is not a scalar. */
function goValue(value: unknown): string | undefined {
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value !== 'string') return undefined;
  const ms = parseDuration(value);
  return ms === undefined ? JSON.stringify(value) : goDuration(ms);
}

function goDuration(ms: number): string {
  if (ms % 1000 !== 0) return `${ms} * time.Millisecond`;
  if (ms === 0 || ms % 60_000 !== 0) return `${ms / 1000} * time.Second`;
  return `${ms / 60_000} * time.Minute`;
}

function capitalized(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
