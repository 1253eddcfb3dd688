import { expect } from 'chai';

import { Warming } from '../../../../operator/workloads/warming.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';

interface Needs {
  readonly image: string;
}

class Registry {
  readonly asked: string[] = [];
  isAway = false;
  under = 0;
  most = 0;
  hold: Promise<unknown> = Promise.resolve();

  known(): string | undefined {
    return undefined;
  }

  async find(namespace: string, { image }: Needs): Promise<string> {
    this.asked.push(`${namespace} ${image}`);
    this.under += 1;
    this.most = Math.max(this.most, this.under);
    await this.hold;
    this.under -= 1;
    return this.isAway ? 'away' : `start ${image}`;
  }
}

describe('Warming', () => {
  let clock: ManualClock;
  let registry: Registry;
  let answered: string[];
  let warming: Warming<Needs, string>;

  beforeEach(() => {
    clock = new ManualClock();
    registry = new Registry();
    answered = [];
    warming = new Warming<Needs, string>({
      answerer: registry,
      isComplete: (_, known) => known !== 'away',
      clock,
      random: () => 1,
      onAnswered: (keys) => answered.push(...keys),
    });
  });
  afterEach(() => warming.stop());

  it('asks for the namespaces in turn, however many images one of them has', async () => {
    const held = Promise.withResolvers<undefined>();
    registry.hold = held.promise;
    for (let index = 0; index < 100; index += 1) warming.use(`a${index}`, 'shop', { image: `slow:${index}` });
    warming.use('b', 'bank', { image: 'redis:7' });
    warming.use('c', 'bank', { image: 'redis:8' });
    held.resolve(undefined);
    await settle();
    expect(registry.asked).to.have.length(102);
    expect(registry.asked.slice(0, 6)).to.deep.equal([
      'shop slow:0',
      'shop slow:1',
      'shop slow:2',
      'bank redis:7',
      'shop slow:3',
      'bank redis:8',
    ]);
  });

  it('asks once for all workloads that need the same, and has them judged again', async () => {
    expect(warming.use('a', 'shop', { image: 'redis:7' })).to.equal(undefined);
    warming.use('b', 'shop', { image: 'redis:7' });
    warming.use('c', 'bank', { image: 'redis:7' });
    await settle();
    expect(registry.asked).to.deep.equal(['shop redis:7', 'bank redis:7']);
    expect(answered).to.deep.equal(['a', 'b', 'c']);
    expect(warming.use('a', 'shop', { image: 'redis:7' })).to.equal('start redis:7');
    await clock.advance(3_600_000);
    expect(registry.asked, 'an answer is kept for as long as somebody needs it').to.have.length(2);
  });

  it('goes on asking while the registry is down, ever more rarely, and reports when it answers', async () => {
    registry.isAway = true;
    warming.use('a', 'shop', { image: 'redis:7' });
    await settle();
    expect(answered, 'why it is not known is an answer, too').to.deep.equal(['a']);
    expect(warming.use('a', 'shop', { image: 'redis:7' })).to.equal('away');
    expect(warming.open).to.equal(1);
    await clock.advance(29_999);
    expect(registry.asked).to.have.length(1);
    await clock.advance(1);
    expect(registry.asked).to.have.length(2);
    await clock.advance(59_999);
    expect(registry.asked).to.have.length(2);
    registry.isAway = false;
    await clock.advance(1);
    expect(answered).to.deep.equal(['a', 'a', 'a']);
    expect(warming.use('a', 'shop', { image: 'redis:7' })).to.equal('start redis:7');
    expect(warming.open).to.equal(0);
    await clock.advance(3_600_000);
    expect(registry.asked).to.have.length(3);
  });

  it('asks two at a time', async () => {
    const held = Promise.withResolvers<undefined>();
    registry.hold = held.promise;
    for (const image of ['a', 'b', 'c', 'd', 'e']) warming.use(image, 'shop', { image });
    await settle();
    expect(registry.asked).to.have.length(2);
    held.resolve(undefined);
    await settle();
    expect(registry.asked).to.have.length(5);
    expect(registry.most).to.equal(2);
  });

  it('forgets what no workload needs any more', async () => {
    registry.isAway = true;
    warming.use('a', 'shop', { image: 'redis:7' });
    await settle();
    warming.use('a', 'shop', { image: 'redis:8' });
    await settle();
    warming.use('a', 'shop', undefined);
    expect(warming.open).to.equal(0);
    expect(clock.sleeping, 'nobody waits to ask again').to.deep.equal([]);
    expect(registry.asked).to.deep.equal(['shop redis:7', 'shop redis:8']);
  });

  it('asks again for what somebody contradicts, unless the answer is fresh', async () => {
    expect(warming.doubt('a'), 'nothing is known that could be doubted').to.equal(false);
    warming.use('a', 'shop', { image: 'redis:7' });
    await settle();
    expect(warming.doubt('a')).to.equal(false);
    await clock.advance(29_999);
    expect(warming.doubt('a')).to.equal(false);
    await clock.advance(1);
    expect(warming.doubt('a')).to.equal(true);
    expect(warming.doubt('a')).to.equal(true);
    await settle();
    expect(registry.asked, 'once').to.deep.equal(['shop redis:7', 'shop redis:7']);
    expect(answered).to.deep.equal(['a', 'a']);
    expect(warming.doubt('a'), 'it is fresh again').to.equal(false);
  });

  it('asks again for what somebody contradicts also when the clock was set back', async () => {
    warming.use('a', 'shop', { image: 'redis:7' });
    await settle();
    clock.set(-3_600_000);
    await clock.advance(30_000);
    expect(warming.doubt('a')).to.equal(true);
  });

  it('asks again for what has changed', async () => {
    warming.use('a', 'shop', { image: 'redis:7' });
    warming.use('b', 'shop', { image: 'nginx:1' });
    await settle();
    warming.changed('shop', ({ image }) => image === 'nginx:1');
    warming.changed('bank', () => true);
    await settle();
    expect(registry.asked).to.deep.equal(['shop redis:7', 'shop nginx:1', 'shop nginx:1']);
    expect(answered).to.deep.equal(['a', 'b', 'b']);
  });
});
