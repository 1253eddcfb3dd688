import { expect } from 'chai';
import { decodeRecord, encodeRecord } from '../../../../core/injection/record.ts';

const container = {
  name: 'app',
  original: { command: ['/app'], args: undefined },
  mountPath: '/vault-env',
  exec: ['livenessProbe'],
  config: 'abc',
};

describe('record', () => {
  it('reads what it wrote', () => {
    const image = { entrypoint: ['/entry'], cmd: [] };
    const record = {
      volumes: ['vault-env'],
      containers: [
        container,
        {
          ...container,
          name: 'b',
          mountPath: '/vault-env-2',
          original: { command: undefined, args: undefined, image },
        },
      ],
    };
    expect(decodeRecord(encodeRecord(record))).to.deep.equal(record);
    const own = { ...record, ownLabel: true } as const;
    expect(decodeRecord(encodeRecord(own))).to.deep.equal(own);
  });

  it('trusts no entry that has the executable where injection never puts it, even with a matching hash', () => {
    const forged = encodeRecord({ volumes: [], containers: [{ ...container, mountPath: '/usr/bin' }] });
    expect(decodeRecord(forged)).to.deep.equal({ volumes: [], containers: [] });
  });

  it('trusts no entry without a program', () => {
    const nothing = { ...container, original: { command: undefined, args: undefined } };
    expect(decodeRecord(encodeRecord({ volumes: [], containers: [nothing] }))?.containers).to.deep.equal([]);
  });

  it('is undefined for what is not a record', () => {
    for (const text of [undefined, null, 7, {}, '', '{', 'null', '[]', '{}', '{"v":"1"}', '{"v":2}']) {
      expect(decodeRecord(text)).to.equal(undefined);
    }
  });

  it('leaves out what is damaged and keeps the rest', () => {
    const { containers } = JSON.parse(encodeRecord({ volumes: [], containers: [container] })) as {
      containers: object[];
    };
    const broken = [null, 7, [], {}, ...containers.map((entry) => ({ ...entry, args: 'x' })), ...containers];
    const text = JSON.stringify({ v: 1, volumes: ['vault-env', 7, null], containers: broken });
    expect(decodeRecord(text)).to.deep.equal({ volumes: ['vault-env'], containers: [container] });
    expect(decodeRecord('{"v":1,"volumes":7,"ownLabel":"yes","containers":{}}')).to.deep.equal({
      volumes: [],
      containers: [],
    });
  });
});
