/**
 * Fits the settings of the verifiers to this demo city: `config/development.json` names its services and its
 * terminal at their usual ports, and what they share with the server in the usual directory, and either may have been chosen otherwise.
 */
import { join, resolve } from 'node:path'
import type { CitySettings } from './city.ts'

const usualServices = 'http://localhost:3004/'
const usualAgent = 'http://127.0.0.1:17080'
const usualDirectory = 'keys/demo/'

export function settleDemoSettings<Verifiers>(verifiers: Verifiers, { demo, keys }: CitySettings): Verifiers {
  const settled = (text: string): string => {
    if (text.startsWith(usualServices)) return `http://localhost:${demo.ports[3]}/${text.slice(usualServices.length)}`
    if (text.startsWith(usualDirectory)) return join(resolve(keys.directory), 'demo', text.slice(usualDirectory.length))
    if (text === usualAgent && typeof demo.terminalPort === 'number') return `http://127.0.0.1:${demo.terminalPort}`
    return text
  }
  return JSON.parse(JSON.stringify(verifiers), (_, value: unknown) =>
    typeof value === 'string' ? settled(value) : value,
  ) as Verifiers
}
