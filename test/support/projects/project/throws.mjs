throw new TypeError("the database address is missing");
