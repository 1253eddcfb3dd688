/** `vault-injection-operator check`: what an installation lacks, seen from inside of its pod or from a person's machine. */

import { kindsWith } from '../../core/added-kinds.ts';
import { systemClock } from '../../kube/clock.ts';
import type { Clock } from '../../kube/clock.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import type { PooledKubeConfig } from '../../kube/kube-config.ts';
import { readCrd } from '../crd.ts';
import { checkHosts } from '../composition/controllers.ts';
import { OPERATOR_LABELS, OPERATOR_NAME } from '../composition/context.ts';
import { hintOf } from '../composition/hints.ts';
import { targetOf } from '../composition/webhook-address.ts';
import { takeFlags } from '../command-flags.ts';
import { readSettings, SettingsError } from '../settings.ts';
import type { Settings } from '../settings.ts';
import { NodeVaultClient } from '../vault/node-vault-client.ts';
import { VERSION } from '../version.ts';
import { crdFindings, namespaceFindings, versionFindings } from './cluster.ts';
import { allPolicies, healthFindings, policyFindings, readyTargets, vaultFindings } from './policies.ts';
import type { Policy } from './policies.ts';
import { isWell, lineText, reportJson, summaryText } from './report.ts';
import { rightsFindings } from './rights.ts';
import { runChecks } from './run-checks.ts';
import type { Check } from './run-checks.ts';
import { subjectOf, whoAmI } from './subject.ts';
import { configurationFindings, reachedFindings } from './webhook.ts';

/** What the command needs of its process. */
export interface CheckHost {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly clock: Clock;
  readonly bounds: CheckBounds;
}

/** Milliseconds. */
export interface CheckBounds {
  /** For one call of the API server. */
  readonly call: number;
  /** For the dry run, for which it calls the webhook itself. */
  readonly dryRun: number;
  readonly check: number;
}

const HELP = `Usage: vault-injection-operator check [-o text|json] [--service-account NAME] [--SETTING VALUE ...]

Looks at what the operator needs, and says what is missing and what to do. It changes nothing. It ends with status 0 if
nothing has failed, 1 if something has, and 2 for wrong usage. Give it the settings that the operator has, if it runs
elsewhere than in the pod of the operator: --namespace and those of the webhook. --help without "check" lists them.

  -o, --output
      text, or json for programs; default: text
  --service-account
      the ServiceAccount of the operator in its namespace, whose rights are asked for; default: the account that runs
      check, if it is of that namespace, else ${OPERATOR_NAME}

What is looked at:
  kubernetes-api         the API server answers, and its version is new enough
  crd                    the CRD is installed, and has every field that this version uses
  namespace              the namespace of the operator exists
  rights                 the operator has each right of config/rbac
  webhook-configuration  it leads to the webhook, trusts its CA, and has the namespaces of all policies
  webhook-reached        the API server calls the webhook: a dry run comes back reviewed
  policies               each policy is in force
  vaults                 each Vault that a policy names answers: asked from here in the pod of the operator, or if the
                         operator runs outside of the cluster; else what the operator says of it
`;

// API servers wait 5 s for the webhook (timeoutSeconds). A check may be some pages of policies, some rounds of reviews of
// rights, or of Vaults that do not answer.
const BOUNDS: CheckBounds = { call: 5_000, dryRun: 10_000, check: 30_000 };

const DEFAULT_HOST: CheckHost = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  bounds: BOUNDS,
};

/** Runs the command. Resolves with the exit status. Rejects with SettingsError or KubeConfigError. */
export async function run(argv: readonly string[], host: CheckHost = DEFAULT_HOST): Promise<number> {
  const { own, rest } = split(argv);
  const settings = readSettings(rest, host.env);
  if (settings === 'help') {
    host.stdout.write(HELP);
    return 0;
  }
  const { stdout, stderr, clock, bounds } = host;
  const isJson = own.output === 'json';
  const kubeConfig = loadKubeConfig({ file: settings.kubeconfig, context: settings.context, clock }, host.env);
  const clear = stderr.isTTY === true ? '\r\u001b[K' : '';
  try {
    const lines = await runChecks(checksOf(settings, own.serviceAccount, kubeConfig, host), {
      clock,
      timeoutMs: bounds.check,
      hintOf: (error) => hintOf(error, settings),
      onBegin: (check) => {
        if (clear !== '') stderr.write(`${clear}… ${check}`);
      },
      onLine: (line) => {
        stderr.write(clear);
        if (!isJson) stdout.write(lineText(line));
      },
    });
    stdout.write(isJson ? reportJson(VERSION, lines) : summaryText(lines));
    return isWell(lines) ? 0 : 1;
  } finally {
    await kubeConfig.close();
  }
}

function checksOf(
  settings: Settings,
  serviceAccount: string | undefined,
  kubeConfig: PooledKubeConfig,
  { clock, bounds }: Pick<CheckHost, 'clock' | 'bounds'>,
): readonly Check[] {
  const clientWithin = (timeoutMs: number): ApiClient =>
    new ApiClient({ kubeConfig, userAgent: `${OPERATOR_NAME}/${VERSION} check`, timeoutMs });
  const client = clientWithin(bounds.call);
  const { namespace, injectorImage } = settings;
  const crd = readCrd();
  const kinds = kindsWith(settings.templates);
  const known: { policies?: Promise<readonly Policy[]>; me?: Promise<string> } = {};
  const policies = (): Promise<readonly Policy[]> => (known.policies ??= allPolicies(client));
  const subject = async (): Promise<ReturnType<typeof subjectOf>> =>
    subjectOf(await (known.me ??= whoAmI(client)), {
      namespace,
      serviceAccount,
      fallback: OPERATOR_NAME,
      isOutside: settings.webhookUrl !== '',
    });
  const webhook = {
    client,
    namespace,
    target: targetOf(settings),
    isExternal: settings.webhookConfiguration === 'External',
    kinds,
    readyTargets: async () => readyTargets(await policies(), kinds),
  };
  const vault = new NodeVaultClient({ hosts: checkHosts(settings) });
  const api = ['kubernetes-api'];
  return [
    {
      name: 'kubernetes-api',
      run: () => versionFindings(client, kubeConfig.getCurrentCluster()?.server ?? 'an unknown address'),
    },
    { name: 'crd', needs: api, run: () => crdFindings(client, crd) },
    { name: 'namespace', needs: api, run: () => namespaceFindings(client, namespace) },
    { name: 'rights', needs: api, run: async () => rightsFindings(client, await subject(), settings) },
    {
      name: 'webhook-configuration',
      needs: ['kubernetes-api', 'crd', 'namespace'],
      run: () => configurationFindings({ ...webhook, now: clock.now() }),
    },
    {
      name: 'webhook-reached',
      needs: ['kubernetes-api', 'namespace'],
      run: async () => {
        // elsewhere the settings here need not be those of the operator
        const port = (await subject()).isSelf ? settings.webhookPort : undefined;
        return reachedFindings(clientWithin(bounds.dryRun), namespace, OPERATOR_LABELS, port);
      },
    },
    { name: 'policies', needs: ['kubernetes-api', 'crd'], run: async () => policyFindings(await policies()) },
    {
      name: 'vaults',
      needs: ['kubernetes-api', 'crd'],
      run: async () => {
        const all = await policies();
        return (await subject()).isSelf
          ? vaultFindings(all, { client, vault, crd, injectorImage })
          : healthFindings(all);
      },
    },
  ];
}

interface Own {
  readonly output: 'text' | 'json';
  readonly serviceAccount: string | undefined;
}

/** Takes the flags of the command itself out of argv; the rest is for readSettings(). */
function split(argv: readonly string[]): { readonly own: Own; readonly rest: readonly string[] } {
  const options = { output: { type: 'string', short: 'o' }, 'service-account': { type: 'string' } } as const;
  const { values, rest } = takeFlags(argv, options);
  const { output = 'text', 'service-account': serviceAccount } = values;
  if (output !== 'text' && output !== 'json') {
    throw new SettingsError(`--output: ${JSON.stringify(output)} is not allowed; write text or json`);
  }
  if (serviceAccount !== undefined && !isAccountName(serviceAccount)) {
    throw new SettingsError('--service-account: write the name of a ServiceAccount');
  }
  return { own: { output, serviceAccount }, rest };
}

function isAccountName(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value);
}
