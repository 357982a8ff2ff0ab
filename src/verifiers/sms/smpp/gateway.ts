/**
 * A short message centre over SMPP 3.4, as a transceiver: texts go out and receipts come in over one line. The password
 * travels open, so the line is TLS or private (settings).
 */
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import type { Receipt, SmsGateway } from '../gateway.ts'
import { openLongLine, type Place } from '../line/long-line.ts'
import type { Protocol } from '../line/protocol.ts'
import { answerTo } from '../line/protocol.ts'
import { deliveryOf } from '../line/delivery.ts'
import { createPartCounter, segmentsOf } from '../line/segments.ts'
import { bindBody, command, messageIdOf, receiptOf, status, submitBody, type Address } from './pdu.ts'

export interface SmppAccount {
  readonly name: string
  readonly place: Place
  readonly systemId: string
  readonly password: string
  readonly systemType: string
  readonly source: Address
  readonly timeoutMs: number
  /** A receipt is acknowledged once this has resolved; the centre repeats it otherwise. */
  readonly onReceipt: (receipt: Receipt) => Promise<void>
}

const international = 1
const isdn = 1
const nothing = Buffer.alloc(0)

const createProtocol = ({ name, onReceipt, ...account }: SmppAccount): Protocol => ({
  headerLength: 16,
  heartbeat: command.enquireLink,
  terminate: command.unbind,
  login: () => ({
    command: command.bindTransceiver,
    body: bindBody(account),
    check(answer) {
      if (answer.status !== status.ok) throw new PeerFailure(`login refused, status ${answer.status}`)
    },
  }),
  async answer(question) {
    const answer = { command: answerTo(question.command), status: status.ok, body: nothing }
    if (question.command === command.enquireLink || question.command === command.unbind) return answer
    if (question.command !== command.deliverSm)
      return { ...answer, command: command.genericNack, status: status.unknownCommand }
    const receipt = receiptOf(question.body)
    const delivery = receipt && deliveryOf(receipt.state)
    if (receipt && delivery) await onReceipt({ gateway: name, reference: receipt.id, ...delivery })
    // deliver_sm_resp has an empty message_id (§4.6.2).
    return { ...answer, body: Buffer.from([0]) }
  },
})

export function createSmppGateway(account: SmppAccount): SmsGateway {
  const { name, source, timeoutMs } = account
  const line = openLongLine(account.place, createProtocol(account))
  const nextId = createPartCounter()

  /** @throws PeerRefusal, PeerFailure */
  const submit = async (body: Buffer, withinMs: number): Promise<string> => {
    const answer = await line.ask(command.submitSm, body, withinMs)
    if (answer.status === status.invalidDestination) throw new PeerRefusal(`status ${answer.status}`)
    if (answer.status !== status.ok) throw new PeerFailure(`status ${answer.status}`)
    return messageIdOf(answer.body)
  }

  return {
    name,
    async send(phone, { template, text }, withinMs = timeoutMs) {
      const destination = { ton: international, npi: isdn, number: phone.replace(/^\+/, '') }
      const bodies = segmentsOf(text, nextId()).map(({ content, number, total }) =>
        submitBody({
          ...{ source, destination, content },
          header: total > 1,
          // The code is in the first part.
          receipt: template === 'code' && number === 1,
        }),
      )
      const [reference = ''] = await Promise.all(bodies.map((body) => submit(body, withinMs)))
      return { reference }
    },
    close: line.close,
  }
}
