/**
 * Which files of the program may ask what time of day it is: the one place that defines this.
 *
 *     node build/time-of-day.ts     exits with 1 and names each place that may not (make lint)
 *
 * A duration that is measured by the time of day stops, or ends at once, when somebody sets the machine's clock; so
 * everything else uses Clock.elapsed() or Clock.sleep().
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Files that write the time of day down, or compare it with what others have written; and what. */
export const READERS: Readonly<Record<string, string>> = {
  'kube/clock.ts': 'defines it',
  'kube/event-recorder.ts': 'firstTimestamp and lastTimestamp of events',
  'kube/credentials.ts': 'expirationTimestamp of credentials, which exec plugins write',
  'kube/identity-lease.ts': 'acquireTime and renewTime of the lease',
  'kube/leader-election.ts': 'acquireTime and renewTime of the lease',
  'operator/check/command.ts': 'notAfter of the CA of the webhook',
  'operator/composition/trust.ts': 'notBefore and notAfter of certificates',
  'operator/policies/reconciler.ts': 'lastTransitionTime of conditions',
  'operator/replicas/own-denials.ts': 'when a workload was denied, which the leader writes into a status',
  'operator/replicas/own-pods.ts': 'when pods were reviewed, which the leader writes into a status',
  'operator/rotation/vault-session.ts': 'deletion_time of versions, which Vault writes',
  'operator/workloads/ages.ts': 'times of requests in annotations',
  'operator/workloads/applied-times.ts': 'lastAppliedTime of a policy, compared with the times in annotations',
  'operator/workloads/workload-controller.ts': 'times of requests and restarts in annotations',
  'webhook/callers/callers.ts': 'notAfter of the certificates of API servers',
  'webhook/certificates/keeper.ts': 'notBefore and notAfter of certificates',
  'webhook/paths/keeper.ts': 'when a token was created, which the Secret says to later processes',
};

const PROGRAM = '{kube,webhook,operator}/**/*.ts';

/** Returns a sentence for each file below `root` that reads the time of day and may not, or may and does not. */
export function misreadTimes(root: string, readers: Readonly<Record<string, string>> = READERS): readonly string[] {
  const reading = new Map<string, readonly number[]>();
  for (const file of globSync(PROGRAM, { cwd: root }).sort()) {
    const lines = readingLines(readFileSync(join(root, file), 'utf8'));
    if (lines.length > 0) reading.set(file, lines);
  }
  const wrong = [...reading]
    .filter(([file]) => !(file in readers))
    .flatMap(([file, lines]) =>
      lines.map(
        (line) =>
          `${file}:${line}: a duration is measured with Clock.elapsed(), which nobody can set; if this time is ` +
          'written down or compared with what others have written, add the file to build/time-of-day.ts, and say what',
      ),
    );
  const idle = Object.keys(readers)
    .filter((file) => !reading.has(file))
    .map((file) => `${file} does not ask for the time of day any more: remove it from build/time-of-day.ts`);
  return [...wrong, ...idle];
}

/** Returns the lines, from 1, with `.now`, `{ now }` of a clock, or `new Date()`; performance.now() is monotonic. */
function readingLines(text: string): readonly number[] {
  const source = ts.createSourceFile('it.ts', text, ts.ScriptTarget.Latest, true);
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (readsTimeOfDay(node)) lines.push(source.getLineAndCharacterOfPosition(node.getStart()).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

function readsTimeOfDay(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
  if (ts.isPropertyAccessExpression(node))
    return node.name.text === 'now' && node.expression.getText() !== 'performance';
  // const { now } = clock
  if (!ts.isBindingElement(node) || (node.propertyName ?? node.name).getText() !== 'now') return false;
  const declaration = node.parent.parent;
  return ts.isVariableDeclaration(declaration) && /clock$/i.test(declaration.initializer?.getText() ?? '');
}

if (import.meta.main) {
  const found = misreadTimes(join(import.meta.dirname, '..'));
  for (const sentence of found) console.log(sentence);
  process.exitCode = found.length === 0 ? 0 : 1;
}
