// Runs one execution in aws-local-stepfunctions, an interpreter of ASL that shares no code with ours.
// stdin: {"definition", "input", "executionArn", "outcomes": {state: [{"result"} | {"error"}, ...]}}
// stdout: {"last": the event that ended the execution, "attempts": {state: n}}
import process from "node:process";

// Node 20 lacks it; the interpreter asks for Node 22.
Promise.withResolvers ??= () => {
  let resolve, reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};
const { StateMachine } = await import("aws-local-stepfunctions");

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { definition, input, executionArn, outcomes } = JSON.parse(Buffer.concat(chunks));

const attempts = {};
function play(state) {
  return async () => {
    const turn = attempts[state] ?? 0;
    attempts[state] = turn + 1;
    const outcome = outcomes[state][Math.min(turn, outcomes[state].length - 1)];
    if (outcome.error) throw Object.assign(new Error(outcome.error), { name: outcome.error });
    return { Payload: outcome.result };
  };
}

const states = Object.keys(outcomes);
const machine = new StateMachine(definition, { validationOptions: { checkArn: false } });
const { result, eventLogs } = machine.run(input, {
  context: { Execution: { Id: executionArn, Input: input } },
  overrides: {
    taskResourceLocalHandlers: Object.fromEntries(states.map((state) => [state, play(state)])),
    retryIntervalOverrides: Object.fromEntries(states.map((state) => [state, 1])),
  },
});
// A failure is told twice, as a rejected promise and as the last event; the event has its parts.
result.catch(() => {});
let last;
for await (const event of eventLogs) last = event;
console.log(JSON.stringify({ last, attempts }));
