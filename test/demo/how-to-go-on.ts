/** What a demo prints last: how to look at it, what to try, and how to end it. Lines with two spaces are commands to copy. */
import { runBackup } from './workloads.ts';

export interface Surroundings {
  /** What comes before the arguments of kubectl, such as `kubectl --context kind-kind`. */
  readonly kubectl: string;
  /** The same for vault. */
  readonly vault: string;
  /** Commands that have to be run first. */
  readonly first: readonly string[];
  /** How Vault is reached, with the root token of the server that the demo has started. */
  readonly aboutVault: readonly string[];
  /** Whether the workloads have pods. */
  readonly pods: boolean;
  readonly end: readonly string[];
}

export function howToGoOn({ kubectl, vault, first, aboutVault, pods, end }: Surroundings): string {
  const web = '-n shop deployment/web';
  const restart = [`${kubectl} rollout restart ${web}`, `${kubectl} rollout status ${web}`];
  const backup = '-n shop job/backup-by-hand';
  const things: readonly (readonly string[])[] = [
    [
      'Change the secret. Programs get it when they start:',
      `  ${vault} kv put secret/shop/db username=shop password=changed`,
      ...restart.map((command) => `  ${command}`),
      `  ${kubectl} logs ${web}`,
    ],
    [
      'Run the nightly backup now. Each run of a CronJob gets what is newest, here what you have changed:',
      `  ${kubectl} ${runBackup('backup-by-hand').join(' ')}`,
      `  ${kubectl} wait ${backup} --for=condition=Complete --timeout=120s`,
      `  ${kubectl} logs ${backup}`,
    ],
    [
      'Break a reference. The new pod does not start, and says which key is missing after some seconds; the old one stays:',
      `  ${kubectl} set env ${web} DB_PASSWORD=vault:secret/data/shop/db#passwrd`,
      `  ${kubectl} describe pod -n shop -l app.kubernetes.io/name=web`,
      `  ${kubectl} rollout undo ${web}`,
    ],
    [
      'Delete the policy. With the next update the workload is what its author wrote, and the program sees the reference:',
      `  ${kubectl} delete vip shop -n shop`,
      `  ${kubectl} rollout restart ${web}`,
      `  ${kubectl} get ${web} -o yaml`,
    ],
  ];
  const possible = pods ? things : things.slice(-1);
  return [
    ...first.map((line) => `  ${line}`),
    `  ${kubectl} get vip -n shop`,
    `  ${kubectl} describe vip shop -n shop`,
    '',
    'Vault',
    ...aboutVault,
    '',
    pods ? 'Four things to try' : 'One thing to try without pods',
    ...possible.flatMap(([title = '', ...lines], index) => [`${index + 1}. ${title}`, ...lines]),
    '',
    ...end,
  ].join('\n');
}
