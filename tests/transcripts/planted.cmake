# The planted transcripts, and what a player tells of each. Whoever includes this has a function
# weir_planted(<name> <told>) that makes a test of it.
weir_planted(misspelt_word "no word \"acton\"")
weir_planted(wrong_action "forward is not reply")
weir_planted(wrong_body "backend body: ")
weir_planted(wrong_member "backend body.messages.0..role: ")
weir_planted(wrong_header "backend header x-app: ")
weir_planted(wrong_metric "metrics does not contain")
weir_planted(leaked_secret "explain holds the secret KEY")
weir_planted(no_transaction "no transaction \"nobody\"")
