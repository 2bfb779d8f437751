"""`make plots`: how reads scale, how long they take, and how soon many watchers are told, as pictures."""
