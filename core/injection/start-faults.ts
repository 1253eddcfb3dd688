/** Why vault-env is known to refuse to start a program: what is wrong with the references of its container. Pure. */
import type { Rule } from '../policy/rule.ts';
import type { StartFault } from './outcome.ts';
import type { Selected } from './selection.ts';
import { faultText, variableText } from './environment.ts';

/** Returns what keeps the programs of the selected containers from starting, in the order of the containers. */
export function startFaults(selected: readonly Selected[], { policy, environment }: Rule): readonly StartFault[] {
  const faults: StartFault[] = [];
  for (const { name: container, references: variables } of selected) {
    for (const variable of variables) {
      const { fault, references } = variable;
      if (fault !== undefined) {
        faults.push({ reason: 'ReferenceMalformed', message: `container ${container}, ${faultText(variable, fault)}` });
      }
      if (environment.transit.keyID === '' && references.some(({ kind }) => kind === 'Transit')) {
        const message = `container ${container}, ${variableText(variable)}: set environment.transit.keyID in policy ${policy.name} to decrypt it`;
        faults.push({ reason: 'TransitKeyMissing', message });
      }
    }
  }
  return faults;
}
