import { expect } from 'chai';

import type { RuleVault } from '../../../../core/policy/rule.ts';
import type { Authority } from '../../../../operator/vault/authorities.ts';
import { HealthMonitor } from '../../../../operator/vault/health-monitor.ts';
import type { VaultHealth, VaultTarget } from '../../../../operator/vault/vault-port.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../../support/test-log.ts';

const UP: VaultHealth = { status: 'True', reason: 'VaultReachable', message: 'up' };
const SEALED: VaultHealth = { status: 'False', reason: 'VaultSealed', message: 'sealed' };

function ruleVault(address: string, tls: Partial<RuleVault['tls']> = {}, namespace = ''): RuleVault {
  return ruleWith({ vault: { address, namespace, tls } }).vault;
}

describe('HealthMonitor', () => {
  let clock: ManualClock;
  let asked: VaultTarget[];
  let answers: Map<string, VaultHealth | Error>;
  let changed: (readonly string[])[];
  let authority: Authority | undefined;
  let monitor: HealthMonitor;
  let lines: LogLine[];

  beforeEach(() => {
    const log = testLog();
    lines = log.lines;
    clock = new ManualClock();
    asked = [];
    answers = new Map();
    changed = [];
    authority = undefined;
    monitor = new HealthMonitor({
      vault: {
        health: (target) => {
          asked.push(target);
          const answer = answers.get(target.address) ?? UP;
          return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
        },
      },
      authorityOf: (namespace, { name }) => (`${namespace}/${name}` === 'shop/vault-ca' ? authority : undefined),
      clock,
      random: () => 0.5,
      logger: log.logger,
      intervalMs: 60_000,
      onChange: (policies) => changed.push(policies),
    });
  });

  it('asks at once, then once per interval, however many policies name the same Vault', async () => {
    for (const policy of ['shop/a', 'shop/b', 'pay/c']) monitor.watch(policy, ruleVault('https://one'));
    await settle();
    expect(asked).to.have.length(1);
    await clock.advance(180_000);
    expect(asked).to.have.length(4);
  });

  it('asks once for namespaces of one Vault, since it is asked about the whole server', async () => {
    monitor.watch('shop/a', ruleVault('https://one', {}, 'team-a'));
    monitor.watch('shop/b', ruleVault('https://one', {}, 'team-b'));
    await settle();
    expect(asked).to.have.length(1);
  });

  it('asks separately what is reached by another CA or server name', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    monitor.watch('shop/b', ruleVault('https://one', { caBundle: 'PEM' }));
    monitor.watch('shop/c', ruleVault('https://one', { serverName: 'vault' }));
    await settle();
    expect(asked).to.deep.equal([
      { address: 'https://one', caBundle: '', serverName: '' },
      { address: 'https://one', caBundle: 'PEM', serverName: '' },
      { address: 'https://one', caBundle: '', serverName: 'vault' },
    ]);
  });

  it('asks the Vaults of another namespace although one names a hundred that say nothing', async () => {
    const silent = new Set<string>();
    const fair = new HealthMonitor({
      vault: {
        health: ({ address }) => {
          if (!address.startsWith('https://silent')) return Promise.resolve(UP);
          silent.add(address);
          return new Promise(() => undefined);
        },
      },
      authorityOf: () => undefined,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
      onChange: () => undefined,
    });
    for (let index = 0; index < 100; index++) fair.watch(`evil/${index}`, ruleVault(`https://silent-${index}`));
    fair.watch('shop/a', ruleVault('https://one'));
    await settle();
    expect(fair.health('shop/a')).to.deep.equal(UP);
    expect(silent.size).to.equal(2);
  });

  it('warns of a Vault that is lost, in the words of the condition, once for all its policies', async () => {
    answers.set('https://one', SEALED);
    for (const policy of ['shop/a', 'shop/b']) monitor.watch(policy, ruleVault('https://one'));
    await settle();
    await clock.advance(180_000);
    answers.delete('https://one');
    await clock.advance(60_000);
    const about = { address: 'https://one', policies: 2 };
    expect(lines).to.deep.equal([
      {
        level: 'warn',
        message: 'the health of a Vault changed',
        fields: { ...about, status: 'False', reason: 'VaultSealed', message: 'sealed' },
      },
      {
        level: 'info',
        message: 'the health of a Vault changed',
        fields: { ...about, status: 'True', reason: 'VaultReachable', message: 'up' },
      },
    ]);
  });

  it('knows nothing before the first answer', () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    expect(monitor.health('shop/a')).to.include({ status: 'Unknown', reason: 'VaultNotChecked' });
  });

  it('tells the policies of a Vault when its health changes, and only then', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    monitor.watch('shop/b', ruleVault('https://one'));
    monitor.watch('shop/other', ruleVault('https://two'));
    await settle();
    changed.length = 0;
    await clock.advance(120_000);
    expect(changed).to.deep.equal([]);
    answers.set('https://one', SEALED);
    await clock.advance(60_000);
    expect(changed).to.deep.equal([['shop/a', 'shop/b']]);
    expect(monitor.health('shop/b')).to.equal(SEALED);
    expect(monitor.health('shop/other')).to.equal(UP);
  });

  it('tells a policy that comes later the known health', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    await settle();
    monitor.watch('shop/b', ruleVault('https://one'));
    expect(monitor.health('shop/b')).to.equal(UP);
    expect(asked).to.have.length(1);
  });

  it('does not ask a Vault any more when no policy names it', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    await settle();
    monitor.watch('shop/a', ruleVault('https://two'));
    await settle();
    monitor.unwatch('shop/a');
    await clock.advance(600_000);
    expect(asked.map(({ address }) => address)).to.deep.equal(['https://one', 'https://two']);
  });

  describe('where the authority is in an object of the namespace', () => {
    const vault = ruleVault('https://one', { caRef: { kind: 'ConfigMap', name: 'vault-ca', key: 'ca.crt' } });

    it('asks with what is in the object, as soon as that is known and whenever it changes', async () => {
      monitor.watch('shop/a', vault);
      await settle();
      expect(asked, 'not yet').to.deep.equal([]);
      expect(monitor.health('shop/a')).to.include({ status: 'Unknown', reason: 'VaultNotChecked' });
      for (const caBundle of ['PEM 1', 'PEM 2']) {
        authority = { caBundle };
        monitor.watch('shop/a', vault);
        await settle();
        expect(asked.at(-1)).to.deep.equal({ address: 'https://one', caBundle, serverName: '' });
        expect(monitor.health('shop/a')).to.equal(UP);
      }
      await clock.advance(60_000);
      expect(asked, 'and no longer by the former one').to.have.length(3);
    });

    it('asks nobody without one, and says that pods lack it too', async () => {
      authority = { unusable: 'there is no ConfigMap vault-ca' };
      monitor.watch('shop/a', vault);
      await settle();
      expect(asked).to.deep.equal([]);
      expect(monitor.health('shop/a')).to.deep.equal({
        status: 'False',
        reason: 'VaultCAUnusable',
        message: 'there is no ConfigMap vault-ca',
      });
    });

    it('asks nobody if it may not be read, which is not known to be wrong, and says why', async () => {
      authority = { unread: 'the operator may not read Secret vault-ca' };
      monitor.watch('shop/a', vault);
      await settle();
      expect(asked).to.deep.equal([]);
      expect(monitor.health('shop/a')).to.deep.equal({
        status: 'Unknown',
        reason: 'VaultNotChecked',
        message: 'the operator may not read Secret vault-ca',
      });
    });
  });

  it('asks no Vault for a policy that is not in force', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    await settle();
    monitor.watch('shop/a', undefined);
    await clock.advance(600_000);
    expect(asked).to.have.length(1);
    expect(monitor.health('shop/a')).to.include({
      reason: 'VaultNotChecked',
      message: 'the policy is not in force, so its Vault is not checked',
    });
  });

  it('goes on after a check that fails unexpectedly', async () => {
    answers.set('https://one', new Error('unheard of'));
    monitor.watch('shop/a', ruleVault('https://one'));
    await settle();
    answers.clear();
    await clock.advance(60_000);
    expect(monitor.health('shop/a')).to.equal(UP);
  });

  it('asks nobody any more once it has stopped', async () => {
    monitor.watch('shop/a', ruleVault('https://one'));
    await settle();
    await monitor.stop();
    await clock.advance(600_000);
    expect(asked).to.have.length(1);
  });
});
