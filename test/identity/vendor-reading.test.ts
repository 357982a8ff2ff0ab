import assert from 'node:assert/strict'
import { readVendorAnswer } from '#src/identity/vendor-reading.ts'

const yan = { kind: 'resident-id-card', name: '刘䶮', number: '690101199203051010' }
const maria = { kind: 'foreigner-permanent-resident-card', name: 'MARIA GARCIA LOPEZ', number: '969724199004170026' }
const photo = 'A'.repeat(4000)

const synjones = {
  ...{ code: '0', retcode: '0x90 0x1', name: '刘䶮', sex: '男', nation: '汉', born: '19920305', address: '示例市' },
  ...{ cardno: yan.number, userlifeb: '20200229', userlifee: '20400228', police: '示例市公安局', photobase64: photo },
  ...{ CardType: '0', EngName: '', CertVol: '', PassID: '', IssuesTimes: '' },
}
const person = {
  ...{
    partyName: '刘䶮',
    gender: '1',
    nation: '汉',
    bornDay: '19920305',
    certAddress: '示例市',
    certNumber: yan.number,
  },
  ...{ certOrg: '示例市公安局', effDate: '20200229', expDate: '20400228', identityPic: photo, certType: ' ' },
}
const cvr = { resultFlag: 0, errorMsg: '', ...person }
const routon = { resultFlag: 0, errorMsg: '', resultContent: person }
const zk = { ret: 0, Certificate: { Name: '刘䶮', Sex: '男', IDNumber: yan.number, Base64Photo: photo } }
const broken = `{"ret":0,"Certificate":{"Name":"刘䶮","Address":"示例市\n中山路","IDNumber":"${yan.number}","Base64Photo":"${photo}",}}`

const read = (answer: unknown) => readVendorAnswer(typeof answer === 'string' ? answer : JSON.stringify(answer))

describe('The answer of a vendor’s card reader', () => {
  for (const [vendor, answer] of Object.entries({ synjones, cvr, routon, zk, 'zk that is no JSON': broken })) {
    it(`of ${vendor} gives name and number for a form, and nothing else`, () => assert.deepEqual(read(answer), yan))
  }

  it('is read behind a callback, a byte order mark and spaces', () => {
    assert.deepEqual(read(`jQuery1_2(${JSON.stringify(synjones)});`), yan)
    assert.deepEqual(read(`\ufeff${JSON.stringify(cvr)}`), yan)
    assert.deepEqual(read({ ...cvr, partyName: ' 刘䶮  ', certNumber: ` ${yan.number} ` }), yan)
  })

  it('names a foreigner by the Latin name, and a permit by its number', () => {
    const foreign = { ...synjones, CardType: '3', name: '玛丽亚', EngName: maria.name, cardno: maria.number }
    assert.deepEqual(read(foreign), maria)
    const permit = { ...cvr, certType: 'J', certNumber: '810000199203050019' }
    assert.equal(read(permit)?.kind ?? 'none', 'hk-macao-taiwan-residence-permit')
  })

  it('is nothing where no card was read, or what was read could not stand in the form', () => {
    const nothing: readonly unknown[] = [
      ...['', '{', 'null', '[]', '{}', 'x'.repeat(10_000), '((((', { code: '0' }],
      ...[
        { ...synjones, retcode: '0x80' },
        { ...cvr, resultFlag: -1 },
        { ...routon, resultFlag: 1 },
        { ...zk, ret: 1 },
      ],
      ...[
        { ...cvr, certNumber: '690101199203051011' },
        { ...cvr, certNumber: '' },
        { ...cvr, partyName: '<b>' },
      ],
      ...[
        { ...cvr, partyName: undefined },
        { ...cvr, certNumber: 690101199203051 },
        { ...zk, Certificate: null },
      ],
      broken.replace('"ret":0', '"ret":-1'),
    ]
    for (const answer of nothing) assert.equal(read(answer), undefined, JSON.stringify(answer)?.slice(0, 80))
  })
})
