// Whose turn it is: one action at a time on the device, and other events between two steps. A backend that computes synchronously
// would otherwise keep messages, timers and abort signals waiting until training has ended.

/** Lets one action run at a time, in the order in which they are asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs an action once all earlier ones have ended. An action must not wait for another turn. */
  take<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** The parts of a browser's message channel that are needed here; Node, whose types differ, has setImmediate. */
interface Channel {
  readonly port1: EventTarget & { start(): void; close(): void }
  readonly port2: { postMessage(message: undefined): void }
}

/** Resolves once other events have had their turn. Timers are not used, because browsers delay nested ones by 4 ms. */
export const eventTurn: () => Promise<void> =
  typeof setImmediate === 'function'
    ? () => new Promise((resolve) => setImmediate(resolve))
    : () =>
        new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel() as unknown as Channel
          const heard = () => {
            port1.close()
            resolve()
          }
          port1.addEventListener('message', heard, { once: true })
          port1.start()
          port2.postMessage(undefined)
        })
