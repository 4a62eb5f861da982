// A turn of the event loop between two steps. A backend that computes synchronously would otherwise keep messages, timers and
// abort signals waiting until training has ended.

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
