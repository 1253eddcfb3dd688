/** API servers that authenticate to the webhook, set up as docs/guides/webhook-authentication.md says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { exposeLoopback } from '../support/loopback-service.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { createAuthority } from '../support/pki.ts';
import { OPERATOR } from '../support/vault.ts';
import { LIMITS } from '../../webhook/server.ts';
import { webhookPath } from '../support/webhook-path.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/guides/webhook-authentication.md'), 'utf8');
const FOLDER = '/etc/kubernetes/webhooks';
const NAME = `${OPERATOR.name}.${OPERATOR.namespace}.svc`;
const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)];

/** Returns the file of the guide with this name, with its names of files in `dir`. */
function fileOfGuide(name: string, dir: string): string {
  const [, text] = new RegExp('```yaml\\n(# ' + `${FOLDER}/${name}` + '\\n[^`]*)```').exec(GUIDE) ?? [];
  if (text === undefined) throw new Error(`the guide has no ${name}`);
  return text.replaceAll(FOLDER, dir);
}

for (const by of ['token', 'certificate'] as const)
  describe(`API servers that authenticate to the webhook by ${by}`, function () {
    this.timeout(120_000);
    let dir: string;
    let plane: ControlPlane;
    let cluster: Cluster;
    let operator: RunningOperator;

    before(async function () {
      this.timeout(BUILDING_MS);
      dir = mkdtempSync(join(tmpdir(), 'webhooks-'));
      const authority = await createAuthority('webhooks');
      const pair = await authority.client('kube-apiserver-webhook');
      file('token', `${ONE}\n`);
      file('tokens', ONE);
      file('client.crt', pair.certificate);
      file('client.key', pair.key);
      file('ca.crt', authority.certificate);
      file('admission.yaml', fileOfGuide('admission.yaml', dir));
      file('kubeconfig.yaml', 'apiVersion: v1\nkind: Config\n');
      plane = await startControlPlane({
        controllers: false,
        apiServerArgs: [`--admission-control-config-file=${dir}/admission.yaml`],
      });
      cluster = new Cluster(plane);
      await cluster.namespace(OPERATOR.namespace);
      await exposeLoopback(plane, OPERATOR.namespace, OPERATOR.name);
      operator = await startOperator({
        controlPlane: plane,
        service: OPERATOR.name,
        flags:
          by === 'token'
            ? ['--webhook-token-file', `${dir}/tokens`]
            : ['--webhook-client-ca', `${dir}/ca.crt`, '--webhook-client-names', 'kube-apiserver-webhook'],
      });
      await cluster.namespace('shop');
      await cluster.apply(policy('shop', 'shop'));
    });
    after(async () => {
      await operator.stop();
      await plane.stop();
      rmSync(dir, { recursive: true });
    });

    const file = (name: string, text: string): void => writeFileSync(join(dir, name), text);
    async function isInjected(name: string): Promise<boolean> {
      await cluster.apply(deployment('shop', name));
      const { spec } = await cluster.get('shop', name);
      return spec.template.spec.containers[0]?.command?.includes(WRAPPER) === true;
    }
    /** Has workloads reviewed until the function is called, which resolves with how many, and with what went wrong. */
    function reviewing(): () => Promise<{ failed: readonly string[]; count: number }> {
      const failed: string[] = [];
      let count = 0;
      let isOver = false;
      const one = async (name: string): Promise<void> => {
        while (!isOver) {
          const object = JSON.stringify(deployment('shop', name));
          const { stdout, stderr } = await plane.kubectl(
            ['create', '--dry-run=server', '-o', 'json', '-f', '-'],
            object,
          );
          if (!stdout.includes(`"${WRAPPER}"`)) failed.push(stderr);
          count += 1;
        }
      };
      const all = Promise.all(['first', 'second', 'third'].map(one));
      return async () => {
        isOver = true;
        await all;
        return { failed, count };
      };
    }
    async function messageOf(type: string): Promise<string> {
      const path = `{.status.conditions[?(@.type=="${type}")].message}`;
      return cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', `jsonpath=${path}`);
    }
    /** Posts half a body; resolves with what is answered. */
    function answerTo(path: string): Promise<{ status: number; text: string }> {
      return new Promise((resolve, reject) => {
        const headers = { 'Content-Type': 'application/json', 'Content-Length': 1_000_000 };
        const options = { method: 'POST', rejectUnauthorized: false, headers, agent: false as const };
        const outgoing = request(operator.webhookUrl + path, options, (incoming) => {
          let text = '';
          incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
        });
        outgoing.on('error', reject);
        outgoing.write('{');
      });
    }

    it('have an operator that reads what it needs from a Secret, by the overlay of the guide', async () => {
      const [, overlay = ''] = /```yaml\n# kustomization.yaml\n([^`]*)```/.exec(GUIDE) ?? [];
      const config = relative(dir, join(import.meta.dirname, '../../config/default'));
      file('kustomization.yaml', overlay.replace('../config/default', config));
      const objects = await plane.kubectlOk(['kustomize', dir]);
      expect(objects).to.contain('value: /etc/api-servers/ca.crt').and.contain('mountPath: /etc/api-servers');
      expect(objects).to.contain('VAULT_INJECTION_INJECTOR_IMAGE', 'what was there before');
      await plane.kubectlOk(['apply', '--server-side', '--dry-run=server', '-f', '-'], objects);
    });

    it('are refused until they do, and the policy says why', async () => {
      await eventually('the policy to say why', async () => {
        const says = await messageOf('WebhookReachable');
        return (
          says.includes('API servers do not authenticate as --webhook-client-ca or --webhook-token-file ask for') ||
          undefined
        );
      });
    });

    it('are answered once they do as the guide says', async () => {
      const kubeconfig = fileOfGuide(by === 'token' ? 'kubeconfig.yaml, with a token' : 'kubeconfig.yaml', dir);
      expect(kubeconfig).to.contain(`name: ${NAME}\n`);
      // the guide's Service has port 443, without which names are written there
      file('kubeconfig.yaml', kubeconfig.replace(NAME, `${NAME}:${operator.webhookPort}`));
      await plane.stopApiServer();
      await plane.startApiServer();
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
      expect(await isInjected('web')).to.equal(true);
    });

    it('are the only ones: others get nothing, at no path, and leave one line in the log', async () => {
      const known = await webhookPath(plane, 'fail');
      for (const path of [known, known, '/mutate/fail', '/']) {
        const { status, text } = await answerTo(path);
        expect([status, text]).to.deep.equal([
          401,
          by === 'token'
            ? 'a token is needed that --webhook-token-file has\n'
            : 'a client certificate is needed that an authority in --webhook-client-ca has signed\n',
        ]);
      }
      const { body } = await operator.health('/metrics');
      expect(body).to.match(
        new RegExp(`^vault_injection_turned_away_total\\{server="webhook",reason="${by}"\\} [1-9]`, 'm'),
      );
      const lines = operator.log().split('\n');
      expect(lines.filter((line) => line.includes('clients were turned away')).length).to.be.within(1, 3);
      expect(operator.log()).to.not.contain(ONE);
    });

    it('go on being answered while what they need is rotated', async () => {
      const reviews = reviewing();
      let remove: () => void;
      if (by === 'token') {
        file('tokens', `${ONE}\n${TWO}`);
        await eventually('both tokens to be read', () => operator.log().includes('"tokens":2') || undefined);
        expect(await isInjected('both')).to.equal(true);
        remove = () => file('tokens', TWO);
      } else {
        const next = await createAuthority('next');
        file('ca.crt', readFileSync(join(dir, 'ca.crt'), 'utf8') + next.certificate);
        const read = (): number => operator.log().split('authorities of API servers read').length - 1;
        await eventually('both authorities to be read', () => read() === 2 || undefined);
        expect(await isInjected('both')).to.equal(true);
        expect(await isInjected('again')).to.equal(true);
        // a handshake that had begun before counts as one of before for so long
        await sleep(LIMITS.handshakeMs);
        remove = () => file('ca.crt', next.certificate);
      }
      const { failed, count } = await reviews();
      expect(failed).to.deep.equal([]);
      expect(count).to.be.greaterThan(2);
      remove();
      await eventually('what API servers have to be refused', async () => {
        const { stderr } = await plane.kubectl(
          ['create', '--dry-run=server', '-f', '-'],
          JSON.stringify(deployment('shop', 'x')),
        );
        return stderr.includes('the server has asked for the client to provide credentials') || undefined;
      });
    });
  });
