# Every text that visitors and operators see, in English: the complete catalogue, and the one behind all others.
#
# Scripts format the same messages with a small reader of their own. It knows variables, plurals and choices
# ({ $n -> [one] … *[other] … }) and quoted text ({ "{" }); it knows no terms, functions and attributes.

## Everywhere

site-name = Weir
site-home = All events
site-skip = Skip to the content
site-footer = Weir is free and open-source software. Its draws can be checked by anyone.
site-no-script = Without JavaScript this page refreshes itself. You can wait here and keep your place.

common-connection-lost = The connection is interrupted. We are reconnecting; your place is safe.
common-connection-back = Connected again.
common-problem = That didn't work
common-problem-network = We couldn't reach the server. Check your connection and try again.
common-problem-busy = Very many people are here right now. Please try again in { $seconds ->
    [one] one second
   *[other] { $seconds } seconds
}.
common-problem-unknown = Something went wrong on our side. It is safe to try again.
common-problem-session = Your visit could not be recognised any more. Reload this page to go on.
common-hours = { $n ->
    [one] 1 hour
   *[other] { $n } hours
}
common-minutes = { $n ->
    [one] 1 minute
   *[other] { $n } minutes
}
common-seconds = { $n ->
    [one] 1 second
   *[other] { $n } seconds
}
common-days = { $n ->
    [one] 1 day
   *[other] { $n } days
}
common-two-units = { $large } { $small }

## The list of events

browse-title = Events
browse-lead = Choose an event to join its waiting room.
browse-search = Search
browse-location = City
browse-date = From
browse-until = Until
browse-available = Only with seats left
browse-go = Search
browse-results = Events found
browse-count = { $n ->
    [0] No events found
    [one] 1 event found
   *[other] { $n } events found
}
browse-all = Show all
browse-categories = Categories
browse-cities = Cities
browse-pages = Pages
browse-previous = Previous page
browse-next = Next page
browse-degraded = Searching is not possible just now. These are all events to come, soonest first.
browse-nothing = Nothing was found.
browse-nothing-hint = Try other or fewer words, or another day.
browse-empty = No events are on sale at the moment.
browse-empty-hint = Come back later: new events appear here as soon as they are announced.
browse-seats-left = { $n ->
    [0] No seats left
    [one] 1 seat left
   *[other] { $n } seats left
}
browse-phase-none = Not on sale yet
browse-phase-scheduled = Sale announced
browse-phase-lobby = Waiting room open
browse-phase-open = On sale now
browse-phase-paused = Sale paused
browse-phase-soldOut = Sold out
browse-phase-closed = Sale over

## A refusal, as a page

problem-status = Error { $status }
problem-hint = You can go back and try again, or start from the list of events.

## An event: the head of its page

event-when = When
event-where = Where
event-opens = Sale opens
event-moved = This event was moved.
event-moved-before = It was to begin on
event-test-sale = This is a trial sale with test payments. No money is taken.

## The waiting room. For each state: what is, what it means, what comes next.

room-eyebrow = Waiting room
room-next-heading = What happens next

room-nosale-title = There's no sale yet
room-nosale-lead = Tickets for this event can't be bought here at the moment.
room-nosale-next = When a sale is announced, its waiting room appears on this page.

room-scheduled-title = The waiting room isn't open yet
room-scheduled-lead = It opens before the sale starts. There's no need to be the first: everyone who is here when the sale opens is drawn by lot.
room-scheduled-next = Keep this page open. A button to join appears here when the waiting room opens.

room-join-lobby-title = Join the waiting room
room-join-lobby-lead = Everyone who has joined when the sale opens gets a place by lot. Joining now or a minute later makes no difference.
room-join-lobby-next = After the draw you see your place in the line and about how long it will take. When it's your turn, you choose your seats.

room-join-open-title = Join the line
room-join-open-lead = The sale is running. Join and we'll call you when it's your turn.
room-join-open-next = You see your place within a few seconds. When it's your turn, you choose your seats.

room-join-paused-title = The sale is paused
room-join-paused-lead = Nobody is being called at the moment. You can join the line already; it goes on in the same order.
room-join-paused-next = When the sale goes on, people are called in the order of the line.

room-sold-out-title = Sold out
room-sold-out-lead = Every seat of this event is sold or being bought right now.
room-sold-out-next = If seats come back before the sale ends, the line opens again on this page.

room-closed-title = The sale is over
room-closed-lead = Tickets for this event can't be bought here any more.
room-closed-next = If you bought tickets, you find them on the device you bought them with.

room-lobby-title = You're in the waiting room
room-lobby-lead = Everyone who is here when the sale opens gets a place by lot, no matter when they joined.
room-lobby-next = Keep this page open. When the sale opens, the draw takes a moment; then your place appears here.

room-drawing-title = The draw is being held
room-drawing-lead = Your place is being drawn together with everyone who joined at the same time.
room-drawing-next = Your place appears here in a moment. You don't need to do anything.

room-waiting-title = You're in the line
room-waiting-lead = Keep this page open. You don't need to reload it.
room-waiting-next = When it's your turn, a button appears here and you have a limited time to press it. If you miss it, you're called once more.

room-paused-title = The line is paused
room-paused-lead = Nobody is being called at the moment. You keep your place.
room-paused-next = When the sale goes on, the line moves in the same order. We can't say yet when that will be.

room-waiting-soldout-title = All seats are taken for now
room-waiting-soldout-lead = Every seat is sold or being bought right now. You keep your place in case seats come back.
room-waiting-soldout-next = Some people give seats back before they pay. If that happens, the line moves on and you're called in order.

room-called-title = It's your turn
room-called-lead = Press the button to come in and choose your seats.
room-called-next = Once inside, you have time to choose. Seats are yours to pay for as soon as you hold them. If you miss this turn, you're called once more.

room-called-last-title = It's your turn again
room-called-last-lead = Press the button to come in and choose your seats. This is your last turn.
room-called-last-next = If nobody presses the button in time, your place goes to the people behind you.

room-admitted-title = You're in
room-admitted-lead = We're opening the seat map for you.
room-admitted-next = Choose your seats, hold them, then pay.

room-lapsed-title = You missed your turn
room-lapsed-lead = You get one more. You don't lose it while you wait here.
room-lapsed-next = When the time comes, the button appears here again. It's your last chance, so stay close.

room-lapsed-over-title = Your place has lapsed
room-lapsed-over-lead = You were called twice and nobody came, so your place went to the people behind you.
room-lapsed-over-next = This place can't be used again.

room-left-title = You left the line
room-left-lead = You gave up your place, and it went to the people behind you.
room-left-next = This place can't be used again.

room-ended-title = Your visit has ended
room-ended-lead = Your time to buy is over, or the sale has closed.
room-ended-next = If you bought tickets, they are valid; you find them in the tab you bought them in.

room-ended-soldout-title = Sold out
room-ended-soldout-lead = The last seats were sold before it was your turn. We're sorry.
room-ended-soldout-next = Thank you for waiting. The order of the line was drawn by lot, and you can check the draw below.

room-rejoin-next = This place can't be used again, but you can join anew. The new place is at the end of the line.

room-position = Your place in the line
room-position-said = Place { $position }. { $ahead ->
    [0] You're next.
    [one] One person is ahead of you.
   *[other] { $ahead } people are ahead of you.
}
room-progress = How far the line has moved towards you
room-ahead = People ahead of you
room-joined = People who have joined
room-eta = Likely wait
room-pace = People called in a minute
room-seats-left = Seats left
room-eta-soon = less than a minute
room-eta-about = about { $high }
room-eta-band = { $low } to { $high }
room-eta-minutes = { $n ->
    [one] 1 minute
   *[other] { $n } minutes
}
room-eta-unknown = can't be said yet

room-countdown-lobby = The waiting room opens
room-countdown-draw = The draw begins
room-countdown-turn = Your turn ends
room-countdown-again = Your next turn begins
room-countdown-in = in { $duration }
room-countdown-now = any moment now

room-join = Join the waiting room
room-join-line = Join the line
room-claim = Choose your seats
room-claim-busy = Opening the door…
room-desk-full = Just this moment everyone inside is still choosing. You stay first; we try again in { $seconds ->
    [one] 1 second
   *[other] { $seconds } seconds
}.
room-claim-no-script = Choosing seats needs JavaScript. Turn it on and reload this page; you keep your turn while it lasts.
room-admitted-no-script = You're in, but choosing seats needs JavaScript. Turn it on and reload this page; you keep your turn while it lasts.
room-leave = Leave the line
room-leave-sure = If you leave, your place goes to the people behind you and you can't take it again.
room-leave-confirm = Give up my place
room-sound = Play a sound when it's my turn
room-title-called = It's your turn!
room-title-waiting = Place { $position }
room-draw-link = Check the draw yourself

## The seat map

seats-title = Choose your seats
seats-timer = Time left to choose: { $duration }
seats-timer-last = One minute left to hold your seats.
seats-timer-over = Your time to choose is over.
seats-map = Seat map
seats-view-map = Map
seats-view-list = List
seats-view = Show seats as
seats-help = Choose seats on the map. Anything you choose appears under Your seats.
seats-help-keys = With a keyboard, move with the arrow keys and choose with Enter or Space; Home and End go to the ends of the row, Page up and Page down to another section.
seats-help-zoom = The seats are small on this screen: the first tap moves closer.
seats-zoom-in = Zoom in
seats-zoom-out = Zoom out
seats-zoom-fit = Show all seats
seats-legend = Categories and prices
seats-legend-status = What the marks mean
seats-status-available = available
seats-status-reserved = held by someone
seats-status-booked = sold
seats-status-chosen = chosen by you
seats-mark-available = Available
seats-mark-chosen = Your choice
seats-mark-reserved = Held by someone
seats-mark-booked = Sold
seats-name = { $section }, row { $row }, seat { $number }
seats-name-full = { $section }, row { $row }, seat { $number }, { $category }, { $price }, { $status }
seats-section = Section
seats-row = Row { $row }
seats-row-none = No seats are available in this row.
seats-best = Let us find the best seats
seats-best-category = Category
seats-best-any = Any category
seats-best-take = Hold { $n ->
    [one] 1 seat
   *[other] { $n } seats
}
seats-best-hint = We look for seats side by side and hold them for you at once.
seats-chosen = Your seats
seats-chosen-none = No seats chosen yet. You can choose up to { $max }.
seats-remove = Remove { $seat }
seats-total = Total
seats-hold = Hold these seats
seats-holding = Holding your seats…
seats-said-chosen = { $seat } chosen. { $n ->
    [one] 1 seat
   *[other] { $n } seats
}, { $total }.
seats-said-removed = { $seat } removed.
seats-said-taken = { $seat } is not available.
seats-too-many = You can hold up to { $max ->
    [one] 1 seat
   *[other] { $max } seats
} at a time.
seats-just-taken = Someone was quicker: { $seats } is gone. Your other seats are still chosen.
seats-just-taken-many = Someone was quicker. Gone: { $seats }. Your other seats are still chosen.
seats-left = { $n ->
    [0] No seats are available right now. Seats that others give back appear here.
    [one] 1 seat available
   *[other] { $n } seats available
}
seats-give-up = Finish without buying
seats-give-up-sure = You give up your turn, and someone else can come in.

## Checkout

checkout-title = Pay for your seats
checkout-lead = These seats are held for you.
checkout-timer = Held for { $duration }
checkout-timer-last = Your seats are held for one more minute.
checkout-more-offer = Need more time? You can keep these seats longer, once.
checkout-more = Keep my seats for { $duration } more
checkout-more-asking = Asking for more time…
checkout-more-done = You have more time: your seats are held for { $duration }.
checkout-seat = Seat
checkout-category = Category
checkout-price = Price
checkout-total = Total
checkout-payment = Payment
checkout-sandbox = This is a trial sale: choose how the test payment should end.
checkout-outcome-approve = The payment is approved
checkout-outcome-decline = The payment is declined
checkout-outcome-timeout = The payment provider doesn't answer
checkout-no-payment = Payment isn't set up for this sale. Please contact the organiser; your seats stay held until the time is over.
checkout-email = E-mail address
checkout-email-hint = Optional: we write to you about this booking and for nothing else.
checkout-pay = Pay { $amount }
checkout-paying = Paying… Please keep this page open.
checkout-again = The payment isn't confirmed yet. Please press the button again; you won't be charged twice.
checkout-declined = The payment was declined. Nothing was taken. You can try again while your seats are held.
checkout-expired = The time is over and your seats are free again. Nothing was taken.
checkout-begun = The time is over and the event has begun. Nothing was taken.
checkout-release = Give the seats back
checkout-released = You gave the seats back.
checkout-releasing = Giving the seats back…

## Tickets

tickets-title = You have your tickets
tickets-lead = Each ticket has its own code: show it at the entrance. Take a screenshot or print it, so that you have it without a connection.
tickets-booking = Booking { $id }
tickets-qr = Code for { $seat }
tickets-heading = { $n ->
    [one] Your ticket
   *[other] Your tickets
}
tickets-number = Ticket { $id }
tickets-paid = Paid: { $amount }
tickets-print = Print the tickets
tickets-calendar = Add to your calendar
tickets-cancelled = Your booking is cancelled
tickets-moved = The event was moved from { $from } to { $to }: { $reason }
tickets-moved-back = Your tickets stay good. If you can't come, you get the whole price back until { $until }.

## Giving tickets back

cancel-title = Cancel tickets
cancel-which = Which tickets do you want to give back?
cancel-seat-back = { $amount } back
cancel-seat-nothing = nothing back
cancel-choose = Choose the tickets to cancel
cancel-confirm = { $n ->
    [one] Cancel this ticket and get { $amount } back
   *[other] Cancel { $n } tickets and get { $amount } back
}
cancel-confirm-nothing = { $n ->
    [one] Cancel this ticket without money back
   *[other] Cancel { $n } tickets without money back
}
cancel-done = { $n ->
    [one] The ticket is cancelled.
   *[other] { $n } tickets are cancelled.
}
cancel-changed = By now another amount would be given back. Nothing was cancelled; the amounts below are the new ones.
cancel-refund-pending = { $amount } are on their way back to you.
cancel-refund-refunded = { $amount } were given back to the way you paid.
cancel-refund-delayed = { $amount } are yours, but could not be given back to the way you paid. The organiser sees to it.
cancel-refund-nothing = Nothing is given back.

## Checking the draw

draw-title = Check the draw
draw-lead = Your browser fetches the public record of this sale and calculates your place itself. It doesn't take our word for anything but the record.
draw-back = Back to the waiting room
draw-no-place = You have no place in this line, so only the public record is checked.
draw-not-drawn = Your place hasn't been drawn yet. Come back after the draw, or check the public record now.
draw-start = Check now
draw-running = Checking…
draw-progress = Read so far: { $n }
draw-no-crypto = This browser only calculates SHA-256 on a secure (https) page or on this computer itself. Open this page over https to check the draw.
draw-no-script = Checking in the browser needs JavaScript. The command "weir verify-draw" does the same from public data.
draw-results = Results
draw-fine = Everything agrees
draw-fine-lead = The place you were shown is the one that follows from the public record.
draw-fine-record = The public record is sound.
draw-wrong = Something doesn't agree
draw-wrong-lead = At least one check failed. Please tell the organiser, and keep this page.
draw-unfinished = The check couldn't be finished
draw-passed = Passed
draw-failed = Failed
draw-check-records = The record of the line is whole: each of its { $n } entries names the one before.
draw-check-records-bad = The record of the line is broken at entry { $at }.
draw-check-recorded = The draws published are the ones in the record.
draw-check-recorded-bad = Draw { $at } is published otherwise than the record has it.
draw-check-commitment = The secrets of the draws so far ({ $n }) were fixed before the sale: each one leads back to the seal.
draw-check-commitment-bad = The secret of draw { $at } was not the one fixed before the sale.
draw-check-sizes = The draws follow each other without gaps.
draw-check-sizes-bad = Draw { $at } does not follow the one before it.
draw-check-seeds = The lot of each draw so far ({ $n }) comes from its secret and its entries alone.
draw-check-seeds-bad = The lot of draw { $at } does not come from its secret and its entries.
draw-check-root = The { $n } entries of your draw are the ones that were sealed.
draw-check-root-bad = The entries of your draw are not the ones that were sealed.
draw-check-entry = Your entry took part, as number { $index } of { $n }.
draw-check-entry-bad = Your entry is not where it should be among the entries of your draw.
draw-check-rank = Calculated place: { $computed }. Shown place: { $shown }.
draw-check-rank-bad = Calculated place: { $computed }. Shown place: { $shown }. They differ.
draw-how = How this works
draw-how-seal = Before the sale, Weir publishes a seal: the end of a chain of secrets in which each one is the SHA-256 hash of the next. So it can't choose its secrets later.
draw-how-entries = When a draw is held, everyone who joined is listed under an anonymous entry, and one number (a Merkle root) is published for the whole list. So nobody can be added or removed later.
draw-how-lot = The next secret and that number together give the lot, which shuffles the list by a public rule. So everybody can calculate the same order.
draw-details = Your draw in numbers
draw-number = Draw
draw-entry = Your entry
draw-size = Entries
draw-root = Merkle root
draw-reveal = Secret
draw-seed = Lot

## The operator's console

operator-title = Operator console
operator-key = Operator key
operator-key-hint = The key stays in this tab and is forgotten when you close it.
operator-sign-in = Sign in
operator-sign-out = Sign out
operator-no-script = The console needs JavaScript.
operator-key-refused = This key isn't accepted.
operator-event = Event
operator-no-events = There are no events yet.
operator-connected = Live
operator-disconnected = The live numbers are interrupted; reconnecting.
operator-numbers = Now
operator-phase = Phase
operator-phase-scheduled = scheduled
operator-phase-lobby = waiting room open
operator-phase-open = open
operator-phase-paused = paused
operator-phase-soldOut = sold out
operator-phase-closed = closed
operator-joined = Joined
operator-drawn = Drawn
operator-served = Called
operator-waiting = Waiting
operator-active = Inside now
operator-admitted = Admitted
operator-lapsed = Lapsed
operator-held = Seats held
operator-booked = Seats booked
operator-seats-left = Seats left
operator-rate-now = Admitted in the last minute
operator-show-share = Come when called
operator-chart = Waiting, admitted and booked over time
operator-chart-summary = Over the last { $duration }: waiting went from { $waitingFrom } to { $waitingTo }, admitted from { $admittedFrom } to { $admittedTo }, booked from { $bookedFrom } to { $bookedTo }.
operator-chart-empty = The chart begins when the first numbers arrive.
operator-chart-table = The same as a table
operator-chart-time = Time
operator-controls = Controls
operator-rate = Admissions in a minute
operator-rate-hint = Never more than this many people are let in within a minute.
operator-cap = Most people inside at once
operator-cap-hint = Nobody is let in while this many are choosing or paying.
operator-set = Set
operator-pause = Pause the sale
operator-pause-hint = Nobody is called or let in while the sale is paused. Who is inside may finish.
operator-resume = Resume the sale
operator-setting = Setting…
operator-rate-done = { $n } people a minute from now on.
operator-cap-done = At most { $n } people inside from now on.
operator-paused-done = The sale is paused.
operator-resumed-done = The sale goes on.
operator-changed-meanwhile = Someone else changed the sale meanwhile. The numbers shown are the new ones; please look and set again.
operator-not-a-number = Enter a whole number of 1 or more.
operator-audit = Who changed what
operator-audit-empty = No changes yet.
operator-audit-when = When
operator-audit-who = Who
operator-audit-what = What
operator-audit-before = Before
operator-audit-after = After
operator-audit-more = Show older
operator-stuck = Money that somebody has to see to
operator-stuck-hint = Of all events: what could be neither taken nor given back, after trying for an hour or because the provider refuses.
operator-stuck-empty = Nothing is stuck.
operator-stuck-since = Stuck since
operator-stuck-what = What
operator-stuck-amount = Amount
operator-stuck-why = Why
operator-stuck-do = What to do
operator-stuck-payment = Payment
operator-stuck-refund = Refund number { $n }
operator-stuck-again = Try again
operator-stuck-how = Done outside, how
operator-stuck-resolve = Note as resolved
operator-stuck-done = It is settled.

## Tickets to print

sheets-title = Tickets to print
sheets-back = Back to the event
sheets-lead = One ticket a sheet. Each code lets one person in, once.
sheets-print = Print
sheets-no-script = Your browser has to run scripts to show your tickets.
sheets-none = There are no tickets here that are valid.
sheets-seat = { $section }, row { $row }, seat { $number }
sheets-code = Code for { $seat }
sheets-numbers = Ticket { $ticket } · Booking { $booking }

## The door

door-title = Door
door-no-script = Your browser has to run scripts to scan tickets.
door-key = Door key or operator key
door-key-hint = The key stays in this tab and is forgotten when you close it.
door-key-refused = This key isn't accepted here.
door-gate = Which gate is this?
door-start = Begin
door-stop = End
door-code = Code of the ticket
door-check = Check
door-camera = Scan with the camera
door-no-camera = The camera can't be used.
door-ready = Ready to scan
door-in = Let in
door-again = Already used
door-cancelled = Cancelled
door-revoked = Revoked
door-unknown = Not a ticket of ours
door-other-event = For another event
door-failed = Not checked
door-seat = { $section }, row { $row }, seat { $number }
door-first = first at { $at }, gate { $gate }
door-saved = Saved, not checked
door-saved-detail = There is no connection. The scan is sent as soon as there is one.
door-full = Not saved
door-full-detail = No more scans can be kept without a connection.
door-kept = { $n ->
    [one] One scan waits to be sent ({ $most } at most).
   *[other] { $n } scans wait to be sent ({ $most } at most).
}
door-counts = { $inside } of { $sold } are in

## Letters to buyers, as text and as HTML

letter-subject-confirmed = Your tickets: { $event }
letter-subject-reduced = Some of your tickets are cancelled: { $event }
letter-subject-cancelled = Your booking is cancelled: { $event }
letter-subject-moved = At another time: { $event }
letter-subject-rehoused = In another hall: { $event }
letter-lead-confirmed = Thank you. Your booking is confirmed.
letter-lead-reduced = Some of your tickets are cancelled, as you asked. The others stay good.
letter-lead-cancelled = Your booking is cancelled, as you asked.
letter-lead-called-off = We are sorry: { $event } does not take place. Your booking is cancelled.
letter-lead-moved = { $event } takes place at another time. Your tickets stay good.
letter-lead-rehoused = { $event } is in another hall. Your tickets stay good, for the seats below.
letter-reason = The organiser says: { $reason }
letter-moved-from-to = It was to begin { $from }. Now it begins { $to }.
letter-when = When: { $when }
letter-where = Where: { $where }
letter-seats = Your seats:
letter-seats-given-back = Cancelled:
letter-seat = { $section }, row { $row }, seat { $number }
letter-paid = Paid: { $amount }
letter-refund = In all, { $amount } are given back to the way you paid.
letter-refund-none = Nothing is given back.
letter-give-back = If you can't come, you get the whole price back until { $until }.
letter-tickets = You find your tickets here, on the device you bought them with:
letter-booking = Booking { $id }
letter-why = You get this because this address was given with the booking. It is used for nothing else.
