/**
 * The services outside the city hall that the demo city stands in for: each a simulator of its published shapes under a
 * path of its own, all on one port. None of them is ever loaded in production.
 */
import express, { type Express, type Router } from 'express'
import type { CitySettings } from './city.ts'
import { createTokenAgent } from './token-agent.ts'
import type { Tokens } from './tokens.ts'

/** What is made before the services open. */
export interface Made {
  readonly tokens: Tokens
}

/** @returns the simulators by the path under which they answer */
function simulators({ issuer }: CitySettings, { tokens }: Made): Readonly<Record<string, Router>> {
  return { token: createTokenAgent(issuer, tokens) }
}

export function demoServices(settings: CitySettings, made: Made): Express {
  const app = express()
  app.disable('x-powered-by')
  for (const [path, router] of Object.entries(simulators(settings, made))) app.use(`/${path}`, router)
  return app
}
