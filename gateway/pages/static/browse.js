// The list of events: only its times need a script.

import { localTimes } from "./page.js";

localTimes();
