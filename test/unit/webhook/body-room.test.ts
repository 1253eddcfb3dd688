import { expect } from 'chai';

import { BodyRoom } from '../../../webhook/body-room.ts';
import type { Seat } from '../../../webhook/body-room.ts';

describe('the room for bodies', () => {
  let cut: string[];
  beforeEach(() => (cut = []));

  const enter = (room: BodyRoom, address: string, name = address): Seat | undefined =>
    room.enter(address, () => cut.push(name));

  it('is as large for one address as for all, if nobody else comes', () => {
    const room = new BodyRoom({ bodies: 3, bytes: 100 });
    const seats = [enter(room, 'a'), enter(room, 'a'), enter(room, 'a')];
    expect(seats.map((seat) => seat?.hold(33))).to.deep.equal([true, true, true]);
    expect([enter(room, 'a'), seats[0]?.hold(2)]).to.deep.equal([undefined, false]);
    expect(cut).to.deep.equal([]);
  });

  it('gives the place of the oldest body of the address with the most to one with less', () => {
    const room = new BodyRoom({ bodies: 3, bytes: 100 });
    enter(room, 'greedy', 'first');
    enter(room, 'greedy', 'second');
    enter(room, 'greedy', 'third');
    expect(enter(room, 'modest')).to.not.equal(undefined);
    expect(cut).to.deep.equal(['first']);
    expect(room.bodies).to.equal(3);
    // two and one: a second one would only turn the tables
    expect(enter(room, 'modest')).to.equal(undefined);
    expect(cut).to.deep.equal(['first']);
  });

  it('gives bytes of the address with the most to one that needs fewer', () => {
    const room = new BodyRoom({ bodies: 10, bytes: 100 });
    const greedy = [enter(room, 'greedy', 'first'), enter(room, 'greedy', 'second')];
    expect(greedy.map((seat) => seat?.hold(50))).to.deep.equal([true, true]);
    const modest = enter(room, 'modest');
    expect(modest?.hold(10)).to.equal(true);
    expect(cut).to.deep.equal(['first']);
    expect(modest?.hold(45), 'it would have more than the other').to.equal(false);
    expect(greedy[1]?.hold(40), 'its own share').to.equal(true);
  });

  it('is empty again when all have left, however often they say so', () => {
    const room = new BodyRoom({ bodies: 2, bytes: 10 });
    const seats = [enter(room, 'a'), enter(room, 'b')];
    for (const seat of seats) {
      seat?.hold(5);
      seat?.leave();
      seat?.leave();
    }
    expect(room.bodies).to.equal(0);
    expect(enter(room, 'c')?.hold(10)).to.equal(true);
    expect(cut).to.deep.equal([]);
  });

  it('does not let those who were cut leave twice', () => {
    const room = new BodyRoom({ bodies: 2, bytes: 10 });
    const [first] = [enter(room, 'a', 'first'), enter(room, 'a', 'second')];
    enter(room, 'b');
    first?.leave();
    expect([cut, room.bodies]).to.deep.equal([['first'], 2]);
  });
});
