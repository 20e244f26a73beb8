import { render } from 'preact'
import { App } from './app'
import { enter, follow } from './live'
import { connection } from './store'
import './style.css'

render(<App />, document.getElementById('page')!)
if (await enter()) follow()
else connection.value = 'refused'
