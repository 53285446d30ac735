SELECT castmeter_add_month($1)
