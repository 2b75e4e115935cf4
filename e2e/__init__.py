"""Stories in real browsers, written once against one page facade."""
